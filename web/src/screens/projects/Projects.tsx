import { EmptyState, Screen } from '@/ui'

export default function Projects() {
  return (
    <Screen title="Projects">
      <EmptyState title="This screen is being built." />
    </Screen>
  )
}
