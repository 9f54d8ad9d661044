// Saves an entry. A refusal is a warning, never a failure, as it is in the real action.
import * as cache from "@actions/cache";
import * as core from "@actions/core";
import { lines } from "./inputs.mjs";

/** Saves the input's paths under key. */
export async function save(key) {
  try {
    const id = await cache.saveCache(lines("path", { required: true }), key);
    if (id !== -1) core.info(`Cache saved with key: ${key}`);
  } catch (error) {
    core.warning(error.message);
  }
}
