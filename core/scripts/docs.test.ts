import test from 'ava'
import { generatedPages, storedPage } from './docs.ts'

for (const { name, text } of generatedPages()) {
  test(`docs/${name} says what the code says (npm run docs writes it)`, (t) => {
    t.is(storedPage(name), text)
  })
}
