import type { Sighting } from '../sightings.ts'
import type { World } from '../world.ts'
import { AgentSide } from './agent-side.ts'
import { Books } from './books.ts'
import type { Checker } from './checker.ts'
import { ContainerChecker } from './container-checker.ts'
import { LivenessChecker } from './liveness-checker.ts'
import { RecordChecker } from './record-checker.ts'
import { ReignChecker } from './reign-checker.ts'
import { ResourceChecker } from './resource-checker.ts'
import { SchedulerSide } from './scheduler-side.ts'
import { StoryChecker } from './story-checker.ts'
import { SurvivalChecker } from './survival-checker.ts'
import { TalkChecker } from './talk-checker.ts'
import { UpdateChecker } from './update-checker.ts'

/** How often what runs is looked over. */
const LOOK_EVERY_MS = 1_000

/** All checkers of a world. */
export function allCheckers(world: World): readonly Checker[] {
  return checkersOf(world, true)
}

/** Those whose cost does not grow with the number of machines: without what is looked for on all of them over and over. */
export function lightCheckers(world: World): readonly Checker[] {
  return checkersOf(world, false)
}

/** The books come first, since the others read them. */
function checkersOf(world: World, looksAround: boolean): readonly Checker[] {
  const books = new Books()
  const kinds = world.options.workload.agents
  const machines = kinds.flatMap((kind) => new Array<(typeof kinds)[number]>(kind.count).fill(kind))
  const containers = new ContainerChecker(books, new Map(machines.map((machine, at) => [`agent-${at}`, machine])))
  const checkers = [
    new AgentSide(books),
    new SchedulerSide(books),
    new ResourceChecker(books),
    new ReignChecker(books),
    new UpdateChecker(books),
    new StoryChecker(),
    new RecordChecker(),
    ...(world.options.faults === 'heavy' ? [] : [new SurvivalChecker()]),
    containers,
    ...(looksAround ? [new LivenessChecker(books, world.frameworks)] : []),
    new TalkChecker(),
  ]
  let lookedAtMs = 0
  const stepOver: Checker = {
    see: (sighting: Sighting, atMs) => {
      if (sighting.kind !== 'masterStepped') return
      books.stepOver()
      if (atMs - lookedAtMs < LOOK_EVERY_MS) return
      lookedAtMs = atMs
      const linked = [...books.agents.values()].filter(({ linkId }) => linkId !== undefined)
      const sinceMs = new Map(linked.map(({ host, linkedAtMs }) => [host, linkedAtMs]))
      containers.look(atMs, (host) => sinceMs.get(host))
    },
  }
  return [...checkers, stepOver]
}
