import { EmptyState, Screen } from '@/ui'

export default function SignIn() {
  return (
    <Screen title="Sign in">
      <EmptyState title="This screen is being built." />
    </Screen>
  )
}
