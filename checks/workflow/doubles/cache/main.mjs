// actions/cache, first half: restores, and leaves to the post step what it found.
import * as core from "@actions/core";
import { main } from "./inputs.mjs";
import { restore } from "./restore.mjs";

await main(async () => {
  core.saveState("CACHE_KEY", core.getInput("key", { required: true }));
  core.saveState("CACHE_RESULT", (await restore()) ?? "");
});
