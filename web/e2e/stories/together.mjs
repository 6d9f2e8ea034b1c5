import { signedIn } from '../people.mjs'

/** What one does, the other sees at once, on a board that neither loads again. */
async function twoOnOneBoard(world) {
  const { system } = world
  const board = `/projects/${world.project.id}/board`
  const ada = await signedIn(world)
  const other = await signedIn(world)
  const [one, two] = [await ada.open(board), await other.open(board)]
  await one.getByRole('status').filter({ hasText: 'Live' }).waitFor()
  await two.getByRole('status').filter({ hasText: 'Live' }).waitFor()
  await one.keyboard.press('c')
  await one.getByRole('dialog').getByLabel(/title/i).fill('Made by the first person')
  await one.getByRole('dialog').getByRole('button', { name: 'Create', exact: true }).click()
  await two.getByText('Made by the first person').first().waitFor()

  const made = (await system.call('GET', `/api/projects/${world.project.id}/tickets`)).find((ticket) => ticket.title === 'Made by the first person')
  await two.locator(`[data-card-link="${made.id}"]`).focus()
  await two.keyboard.press('m')
  await two.getByRole('dialog').getByRole('button', { name: /done/i }).click()
  await system.until('the ticket was moved', async () => (await system.call('GET', `/api/projects/${world.project.id}/tickets/${made.id}`)).column_id === 'done')
  await one.locator('[data-column="done"]').getByText('Made by the first person').waitFor()
  await ada.leave()
  await other.leave()
}

export default [['two people on one board see what the other does', twoOnOneBoard]]
