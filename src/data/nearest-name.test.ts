import { expect, it } from "vitest";
import { nearestName } from "./nearest-name.js";

it("finds a misspelt name and leaves alone what is like nothing", () => {
  const names = ["moons", "circles", "rings"];
  expect(nearestName("moon", names)).toBe("moons");
  expect(nearestName("Circels", names)).toBe("circles");
  expect(nearestName("xyzxyz", names)).toBeNull();
  expect(nearestName("moons", [])).toBeNull();
});
