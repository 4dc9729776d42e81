/** What calls a deployment from elsewhere, ready to paste; the key is in the environment, never in the text. */

export interface Snippet {
  readonly language: string;
  /** What has to be there first; shown above. */
  readonly setUp: string;
  readonly code: string;
}

const KEY = 'INFER_API_KEY';

/** Returns a call of `model` at `baseUrl` (with /v1) by curl, Python and Node; each is right for every model name. */
export function snippets(baseUrl: string, model: string): Snippet[] {
  const literal = JSON.stringify(model);
  const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }] });
  return [
    {
      language: 'curl',
      setUp: `export ${KEY}=…`,
      code: [
        `curl ${shellQuoted(`${baseUrl}/chat/completions`)} \\`,
        `  -H "Authorization: Bearer $${KEY}" \\`,
        `  -H 'Content-Type: application/json' \\`,
        `  -d ${shellQuoted(body)}`,
      ].join('\n'),
    },
    {
      language: 'Python',
      setUp: 'pip install openai',
      code: [
        'import os',
        'from openai import OpenAI',
        '',
        `client = OpenAI(base_url=${JSON.stringify(baseUrl)}, api_key=os.environ["${KEY}"])`,
        'stream = client.chat.completions.create(',
        `    model=${literal},`,
        '    messages=[{"role": "user", "content": "Hello"}],',
        '    stream=True,',
        ')',
        'for chunk in stream:',
        '    if chunk.choices:',
        '        print(chunk.choices[0].delta.content or "", end="", flush=True)',
      ].join('\n'),
    },
    {
      language: 'Node',
      setUp: 'npm install openai',
      code: [
        "import OpenAI from 'openai';",
        '',
        `const client = new OpenAI({ baseURL: ${JSON.stringify(baseUrl)}, apiKey: process.env.${KEY} });`,
        'const stream = await client.chat.completions.create({',
        `  model: ${literal},`,
        "  messages: [{ role: 'user', content: 'Hello' }],",
        '  stream: true,',
        '});',
        "for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? '');",
      ].join('\n'),
    },
  ];
}

function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
