/** Asks before what was typed would be lost: on the way to another screen, or when the window is closed. */
import { Button, Dialog } from '@/ui'
import { useBlocker } from '@tanstack/react-router'

export function Unsaved({ when }: { when: boolean }) {
  const blocker = useBlocker({
    // Being signed out keeps the screen, and asks for a sign-in on top of it.
    shouldBlockFn: ({ current, next }) => when && (current.pathname !== next.pathname || JSON.stringify(current.search) !== JSON.stringify(next.search)),
    enableBeforeUnload: () => when,
    withResolver: true,
  })
  return (
    <Dialog
      open={blocker.status === 'blocked'} onClose={() => blocker.reset?.()} title="Leave without saving?"
      actions={<><Button kind="danger" onClick={() => blocker.proceed?.()}>Leave and lose it</Button><Button kind="primary" onClick={() => blocker.reset?.()}>Stay here</Button></>}
    >
      <p className="text-sm">What you changed on this screen is not saved yet.</p>
    </Dialog>
  )
}
