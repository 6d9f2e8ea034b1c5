/** What a failed request says: a sentence for people, a word for programs, and the request's id in the API's log. */
export class ApiError extends Error {
  constructor(
    /** What was wrong and what to do, in one or two sentences. */
    readonly sentence: string,
    /** A stable word, such as `not_found`; `unreachable` when no answer came. */
    readonly code: string,
    /** The HTTP status; 0 when no answer came. */
    readonly status: number,
    readonly requestId: string | null = null,
    /** After how many seconds the server will take the request again, where it said so. */
    readonly retryAfterSec: number | null = null,
  ) {
    super(sentence)
    this.name = 'ApiError'
  }
}

/** The sentence of any error, for people. */
export function sentenceOf(error: unknown): string {
  if (error instanceof ApiError) return error.sentence
  return 'This page made a mistake. Reload it; if it happens again, please report it.'
}
