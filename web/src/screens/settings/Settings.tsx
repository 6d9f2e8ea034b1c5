import { EmptyState, Screen } from '@/ui'

export default function Settings() {
  return (
    <Screen title="Settings">
      <EmptyState title="This screen is being built." />
    </Screen>
  )
}
