import { useSession } from '@/shell/session'
import { Badge, Card, CopyBox, Kv } from '@/ui'
import { Link } from '@tanstack/react-router'

/** How people sign in. It is set where the server is started, since a mistake here could lock everybody out. */
export function SignInOptions() {
  const { sign_in: ways } = useSession()
  return (
    <Card title="Sign-in">
      <div className="flex flex-col gap-4 text-sm">
        <Kv items={[
          ['Email and password', ways.password ? <Badge tone="good" icon="check">On</Badge> : <Badge>Off</Badge>],
          ['OpenID Connect', ways.oidc ? <><Badge tone="good" icon="check">On</Badge> {ways.oidc.name}</> : <Badge>Off</Badge>],
        ]} />
        <p className="text-muted">{ways.oidc ? 'To change the provider, set these variables for the server and start it again:' : 'To sign in with a provider that speaks OpenID Connect, set these variables for the server and start it again:'}</p>
        <CopyBox
          label="Variables for OpenID Connect"
          text={[`TERARCHITECT_PUBLIC_URL=${window.location.origin}`, 'TERARCHITECT_OIDC_ISSUER=https://login.example.com', 'TERARCHITECT_OIDC_CLIENT_ID=…', 'TERARCHITECT_OIDC_CLIENT_SECRET=…', 'TERARCHITECT_OIDC_NAME=Example'].join('\n')}
        />
        <p className="text-muted">The provider asks where it may send people back: <span className="font-mono">{window.location.origin}/api/oidc/callback</span>. Who may sign in is decided under <Link to="/people" className="underline">People</Link>.</p>
      </div>
    </Card>
  )
}
