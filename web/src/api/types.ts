/** Short names for the generated types. */
import type { components } from './schema'

type Schemas = components['schemas']
export type Project = Schemas['Project']
export type NewProject = Schemas['NewProject']
export type ProjectChanges = Schemas['ProjectChanges']
export type Ticket = Schemas['Ticket']
export type TicketBody = Schemas['TicketBody']
export type Priority = Schemas['Priority']
export type Note = Schemas['Note']
export type ProofTerms = Schemas['ProofTerms']
export type TicketUsage = Schemas['TicketUsage']
export type ExpectedUsage = Schemas['ExpectedUsage']
export type Budgets = Schemas['Budgets']
export type BudgetLimit = Schemas['BudgetLimit']
export type BudgetView = Schemas['BudgetView']
export type Graph = Schemas['Graph']
export type GraphChanges = Schemas['GraphChanges']
export type JobEntry = Schemas['JobEntry']
export type Coordinator = Schemas['Coordinator']
export type Readiness = Schemas['Readiness']
export type * from './contract'
