import { buttonClass, Icon } from '@/ui'

export function Next({ onNext }: { onNext: () => void }) {
  return <div><button type="button" className={buttonClass('primary')} onClick={onNext}>Go on<Icon name="chevron" /></button></div>
}
