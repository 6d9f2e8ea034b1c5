import { EmptyState, Screen } from '@/ui'

export default function Audit() {
  return (
    <Screen title="Audit">
      <EmptyState title="This screen is being built." />
    </Screen>
  )
}
