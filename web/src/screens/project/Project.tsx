import { EmptyState, Screen } from '@/ui'

export default function Project() {
  return (
    <Screen title="Project">
      <EmptyState title="This screen is being built." />
    </Screen>
  )
}
