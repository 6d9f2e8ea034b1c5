import { EmptyState, Screen } from '@/ui'

export default function FirstStart() {
  return (
    <Screen title="First start">
      <EmptyState title="This screen is being built." />
    </Screen>
  )
}
