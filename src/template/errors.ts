/** A template that cannot be read or executed; the message is in the words of Go's text/template. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
}
