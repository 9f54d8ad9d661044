// actions/cache, second half, after the job's last step: saves unless the very key was restored.
import * as core from "@actions/core";
import { isExact, main } from "./inputs.mjs";
import { save } from "./save.mjs";

await main(async () => {
  const key = core.getState("CACHE_KEY");
  if (isExact(key, core.getState("CACHE_RESULT"))) {
    core.info(`Cache hit occurred on the primary key ${key}, not saving cache.`);
    return;
  }
  await save(key);
});
