// Restores an entry. found(key) is told which one.
import * as cache from "@actions/cache";
import * as core from "@actions/core";
import { isExact, lines } from "./inputs.mjs";

/** Restores the entry that the inputs ask for and gives its key, or undefined. */
export async function restore() {
  const key = core.getInput("key", { required: true });
  const restoreKeys = lines("restore-keys");
  const matched = await cache.restoreCache(lines("path", { required: true }), key, restoreKeys, {
    lookupOnly: core.getBooleanInput("lookup-only"),
  });
  if (matched === undefined) {
    // Like the real one, which leaves cache-hit unset when nothing was found.
    if (core.getBooleanInput("fail-on-cache-miss")) throw new Error(`no entry for ${key}`);
    core.info(`Cache not found for input keys: ${[key, ...restoreKeys].join(", ")}`);
    return undefined;
  }
  core.setOutput("cache-hit", String(isExact(key, matched)));
  core.info(`Cache restored from key: ${matched}`);
  return matched;
}
