// Counts points and finds the suspicion level of a described nodule by a guideline, as shared/guidelines/guideline.py does.

/**
 * @typedef {{[field: string]: string[] | boolean}} Pattern  the terms of each field that match; `eccentric` is a boolean
 * @typedef {{
 *   name: string,
 *   has_points: boolean,
 *   signs: {pattern: Pattern, points: number}[],
 *   rules: {level: string, pattern: Pattern, min_points: number, max_points: number | null}[],
 *   unscored: Pattern | null,
 *   levels: Record<string, string>,
 * }} Guideline  levels: how the page names each
 * @typedef {{composition?: string, echogenicity?: string, orientation?: string, margin?: string, foci: string[], eccentric: boolean}} Nodule
 *   the terms that are not chosen yet are missing
 */

/** @param {Pattern} pattern @param {Nodule} nodule */
function matches(pattern, nodule) {
  return Object.entries(pattern).every(([field, terms]) => {
    if (!Array.isArray(terms)) return nodule[field] === terms;
    return field === "foci" ? nodule.foci.some((focus) => terms.includes(focus)) : terms.includes(nodule[field]);
  });
}

// The sum over what is described so far.
/** @param {Guideline} guideline @param {Nodule} nodule */
export function countPoints({ signs, unscored }, nodule) {
  if (unscored && matches(unscored, nodule)) return 0;
  return signs.filter(({ pattern }) => matches(pattern, nodule)).reduce((sum, { points }) => sum + points, 0);
}

// The name of the level of a nodule that is described completely; null if the guideline has none for it.
/** @param {Guideline} guideline @param {Nodule} nodule @returns {string | null} */
export function findLevel(guideline, nodule) {
  const points = countPoints(guideline, nodule);
  const rule = guideline.rules.find(({ pattern, min_points: least, max_points: most }) => points >= least && (most === null || points <= most) && matches(pattern, nodule));
  return rule?.level ?? null;
}
