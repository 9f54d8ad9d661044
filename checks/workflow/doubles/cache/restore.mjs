// What actions/cache and actions/cache/restore have in common.
import * as cache from "@actions/cache";
import * as core from "@actions/core";
import { isExact, lines } from "./inputs.mjs";

/** Restores the entry that the inputs select. Returns its key, or undefined. */
export async function restore() {
  const key = core.getInput("key", { required: true });
  const restoreKeys = lines("restore-keys");
  const matched = await cache.restoreCache(lines("path", { required: true }), key, restoreKeys);
  if (matched === undefined) {
    // Like the real one, which leaves cache-hit unset when nothing was found.
    core.info(`Cache not found for input keys: ${[key, ...restoreKeys].join(", ")}`);
    return undefined;
  }
  core.setOutput("cache-hit", String(isExact(key, matched)));
  core.info(`Cache restored from key: ${matched}`);
  return matched;
}
