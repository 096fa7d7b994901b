/** To be imported first in a page and in every worker: zod would try `eval`, which the security policy forbids. */
import { z } from "zod";

z.config({ jitless: true });
