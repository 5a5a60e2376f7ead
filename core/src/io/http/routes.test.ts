import test from 'ava'
import { type Route, Router } from './routes.ts'

const ROUTES: readonly Route[] = [
  '/api/v1',
  '/api/v1/scheduler',
  '/state',
  '/system/stats.json',
  '/files/read',
  '/quota',
].map((path) => ({ kind: 'page', path, meaning: '', handle: () => ({ kind: 'handled' }) }))
const EXACT: Route = {
  kind: 'page',
  path: '/redirect',
  isExact: true,
  meaning: '',
  handle: () => ({ kind: 'handled' }),
}
const router = new Router('slave(1)', [...ROUTES, EXACT])

for (const [url, path] of [
  ['/state', '/state'],
  ['/state/', '/state'],
  ['//state', '/state'],
  ['/state?', '/state'],
  ['/state?x=/quota', '/state'],
  ['/slave(1)/state', '/state'],
  ['/slave%281%29/state', '/state'],
  ['/state.json', '/state'],
  ['/slave(1)/state.json', '/state'],
  ['/files/read.json?path=a', '/files/read'],
  ['/system/stats.json', '/system/stats.json'],
  ['/api/v1/anything', '/api/v1'],
  ['/api/v1/operator', '/api/v1'],
  ['/api/v1/scheduler', '/api/v1/scheduler'],
  ['/api/v1/scheduler/', '/api/v1/scheduler'],
  ['/api/v1/schedulers', '/api/v1'],
  ['/redirect', '/redirect'],
] as const) {
  test(`${url} is served by ${path}`, (t) => t.is(router.match(url)?.route.path, path))
}

for (const url of [
  '/',
  '/nothing',
  '/slave(1)',
  '/slave(1)/',
  '/slave(2)/state',
  '/slave/state',
  '/master/state',
  '/files',
  '/api',
  '/api/',
  '/state%20',
  '/redirect/somewhere',
  '/system/stats',
  '/stats.json',
  '/%zz',
]) {
  test(`nothing is at ${url}`, (t) => t.is(router.match(url), undefined))
}

test('what follows the path and the query are told', (t) => {
  const match = router.match('/quota/a%20b?force=1')
  t.deepEqual(match?.rest, ['a b'])
  t.is(match?.query, 'force=1')
})
