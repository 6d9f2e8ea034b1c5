/** What a program that is let in may do. */
import type { Session } from '@/api/contract'

const may = {
  admin: 'It may then do everything that you may: you are an admin.',
  member: 'It may then do what you may: work with tickets.',
  viewer: 'It may then do what you may: read.',
  none: 'You have roles in single projects alone, and the command needs one for all of them. Make a token for one project under Settings, Tokens, and run terarchitect login --token with it.',
} as const

export function whatItMay(session: Session): string {
  return may[session.role]
}

/** What to do after the decision. */
export function afterwards(approved: boolean): string {
  return approved
    ? 'Go back to the terminal: within a few seconds it says that you are signed in. You can close this page.'
    : 'The program gets nothing. You can close this page.'
}
