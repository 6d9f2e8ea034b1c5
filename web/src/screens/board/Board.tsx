import { EmptyState, Screen } from '@/ui'

export default function Board() {
  return (
    <Screen title="Board">
      <EmptyState title="This screen is being built." />
    </Screen>
  )
}
