/** Settings of a Hadoop configuration file, by name. */
export type Properties = Readonly<Record<string, string | number | boolean>>

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

/**
 * Renders a Hadoop configuration file (core-site.xml and its kin), names in the order given.
 *
 * Hadoop expands `${name}` inside values; such text is passed through. Characters that XML 1.0 cannot express (control
 * characters but tab, line feed and carriage return) are refused with a RangeError.
 */
export function renderXml(properties: Properties): string {
  const rows = Object.entries(properties).map(
    ([name, value]) =>
      `  <property><name>${escapeText(name)}</name><value>${escapeText(String(value))}</value></property>\n`,
  )
  return `<?xml version="1.0" encoding="UTF-8"?>\n<configuration>\n${rows.join('')}</configuration>\n`
}

function escapeText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML cannot hold
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(text)) {
    throw new RangeError(`not expressible in XML: ${JSON.stringify(text)}`)
  }
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? character)
}
