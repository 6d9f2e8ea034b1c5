import { describe, expect, it } from 'vitest'
import { access, device, withRole } from './roles'

describe('roles', () => {
  it('are one line', () => {
    const name = () => 'shop'
    expect(access({ role: 'admin', projects: [{ project_id: 'p', role: 'viewer' }] }, name)).toBe('Admin')
    expect(access({ role: 'viewer', projects: [{ project_id: 'p', role: 'member' }] }, name)).toBe('Viewer, member in shop')
    expect(access({ role: 'none', projects: [{ project_id: 'p', role: 'viewer' }] }, name)).toBe('Viewer in shop')
    expect(access({ role: 'none', projects: [] }, name)).toBe('Nothing yet')
  })
  it('are given and taken for one project', () => {
    const some = [{ project_id: 'a', role: 'viewer' as const }]
    expect(withRole(some, 'a', 'member')).toEqual([{ project_id: 'a', role: 'member' }])
    expect(withRole(some, 'a', '')).toEqual([])
    expect(withRole(some, 'b', 'viewer')).toHaveLength(2)
  })
  it('name devices', () => {
    expect(device('Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36')).toBe('Chrome on Linux')
    expect(device('Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Mobile/15E148 Safari/604.1')).toBe('Safari on iPhone')
    expect(device('terarchitect/0.9')).toBe('terarchitect/0.9')
    expect(device(null)).toBe('An unknown program')
  })
})
