import type { LinkLook } from '@/api/contract'
import { exactly } from '@/lib/time'

export const titles: Record<LinkLook['kind'], string> = {
  first_admin: 'Make the first admin',
  invitation: 'Join Terarchitect',
  reset: 'Choose a new password',
  sign_in: 'Sign in',
}

const roles = { admin: 'an admin', member: 'a member', viewer: 'a viewer', none: 'a guest' } as const

/** What a link does, in one or two sentences. */
export function about(look: LinkLook): string {
  const until = `The link works once, until ${exactly(look.expires_at)}.`
  if (look.kind === 'first_admin') return `This account may do everything, and invites the others. ${until}`
  if (look.kind === 'reset') return `For ${look.email ?? 'your account'}. Other sessions of this account end. ${until}`
  if (look.kind === 'sign_in') return `As ${look.email ?? 'the account that this link was made for'}. ${until}`
  const as = look.role ? `You were invited as ${roles[look.role]}` : 'You were invited'
  return `${as}${look.project_name ? ` of the project ${look.project_name}` : ''}. ${until}`
}
