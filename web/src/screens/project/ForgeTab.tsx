/** How a project works with its forge: what becomes work for the agent, its credentials, its webhooks. */
import type { Project } from '@/api/types'
import { Credentials } from '@/parts/Credentials'
import { hostOf } from '@/parts/forges'
import { Webhooks } from '@/parts/Webhooks'
import { isAdmin, useSession } from '@/shell/session'
import { ForgeForm } from './ForgeForm'

export function ForgeTab({ project, may }: { project: Project; may: boolean }) {
  const admin = isAdmin(useSession())
  return (
    <div className="flex flex-col gap-4">
      <ForgeForm key={project.id} project={project} may={admin} />
      <Credentials projectId={project.id} host={hostOf(project.github_url ?? null)} may={may} />
      <Webhooks projectId={project.id} sender={project.forge_kind ?? null} may={may} />
    </div>
  )
}
