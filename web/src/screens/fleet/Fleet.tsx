import { EmptyState, Screen } from '@/ui'

export default function Fleet() {
  return (
    <Screen title="Fleet">
      <EmptyState title="This screen is being built." />
    </Screen>
  )
}
