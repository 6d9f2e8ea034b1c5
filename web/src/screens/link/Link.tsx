import { EmptyState, Screen } from '@/ui'

export default function Link() {
  return (
    <Screen title="Welcome">
      <EmptyState title="This screen is being built." />
    </Screen>
  )
}
