import { EmptyState, Screen } from '@/ui'

export default function People() {
  return (
    <Screen title="People">
      <EmptyState title="This screen is being built." />
    </Screen>
  )
}
