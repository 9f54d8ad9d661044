// actions/cache/restore
import * as core from "@actions/core";
import { main } from "../inputs.mjs";
import { restore } from "../restore.mjs";

await main(async () => {
  core.setOutput("cache-primary-key", core.getInput("key"));
  const matched = await restore();
  if (matched !== undefined) core.setOutput("cache-matched-key", matched);
});
