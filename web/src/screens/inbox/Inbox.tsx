import { EmptyState, Screen } from '@/ui'

export default function Inbox() {
  return (
    <Screen title="Inbox">
      <EmptyState title="This screen is being built." />
    </Screen>
  )
}
