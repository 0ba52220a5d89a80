// Lists and calls everything that a server offers, with the client that most agents are built on.
//
//   node client.mjs '[{"url":…,"key":…,"revision":…} or {"command":…,"args":[…],"env":{…},"revision":…},…]' '{"tool":{arguments},…}'
//
// Prints a JSON object for each of the list, one a line. The client itself holds structured content against the tools' output schemas.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

const [targets, calls] = [JSON.parse(process.argv[2]), JSON.parse(process.argv[3])];

async function visit(to) {
  const transport = to.url
    ? new StreamableHTTPClientTransport(new URL(to.url), { requestInit: { headers: { Authorization: `Bearer ${to.key}` } } })
    : new StdioClientTransport({ command: to.command, args: to.args, env: { ...process.env, ...to.env } });

  // The client always offers its newest revision; an older client would offer its own.
  const send = transport.send.bind(transport);
  transport.send = (message, options) => {
    if (message.method === "initialize") message.params.protocolVersion = to.revision;
    return send(message, options);
  };

  const client = new Client({ name: "test", version: "1" });
  await client.connect(transport);
  const said = { revision: transport.protocolVersion ?? transport._protocolVersion, server: client.getServerVersion().name, tools: {}, resources: {}, prompts: {}, refused: {} };

  const { tools } = await client.listTools();
  for (const tool of tools) {
    const result = await client.callTool({ name: tool.name, arguments: calls[tool.name] });
    said.tools[tool.name] = {
      called: calls[tool.name] !== undefined, error: Boolean(result.isError), schema: Boolean(tool.outputSchema),
      structured: result.structuredContent !== undefined, kinds: result.content.map((c) => c.type),
      rows: JSON.parse(result.content.find((c) => c.type === "text").text).length,
    };
  }
  try {
    await client.callTool({ name: "get_stats", arguments: { fro: "2026-05-01" } });
  } catch (error) {
    said.refused = { code: error.code, message: error.message };
  }
  for (const { uri } of (await client.listResources()).resources) {
    const { contents } = await client.readResource({ uri });
    said.resources[uri] = JSON.parse(contents[0].text).length;
  }
  for (const { name, arguments: wanted } of (await client.listPrompts()).prompts) {
    const given = Object.fromEntries(wanted.map((a) => [a.name, "signup"]));
    said.prompts[name] = (await client.getPrompt({ name, arguments: given })).messages[0].content.text.includes("signup");
  }
  await client.close();
  return said;
}

for (const to of targets) console.log(JSON.stringify(await visit(to)));
