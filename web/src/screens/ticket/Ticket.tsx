import { EmptyState, Screen } from '@/ui'

export default function Ticket() {
  return (
    <Screen title="Ticket">
      <EmptyState title="This screen is being built." />
    </Screen>
  )
}
