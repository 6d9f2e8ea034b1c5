import { Dialog, Kbd } from '@/ui'
import { shownHotkeys } from './hotkeys'

export default function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog open onClose={onClose} title="Keyboard" about="These keys work here, whenever no text is being typed.">
      {shownHotkeys().map((group) => (
        <section key={group.title} className="mb-4">
          <h3 className="mb-1 text-sm">{group.title}</h3>
          <dl className="grid grid-cols-[6rem_1fr] items-center gap-y-1.5 text-sm">
            {group.keys.filter((key) => key.about).map((key) => (
              <div key={key.key} className="contents">
                <dt><Kbd>{key.key === 'mod+k' ? (navigator.platform.startsWith('Mac') ? '⌘ K' : 'Ctrl K') : key.key}</Kbd></dt>
                <dd>{key.about}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
    </Dialog>
  )
}
