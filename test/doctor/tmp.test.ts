import { test } from 'vitest';
import { createWard, doctor } from './kit.ts';
test('x', async () => { const w = await createWard(); for (const f of (await doctor(w)).values()) console.log(f.verdict, f.name, f.detail, f.remedy); await w.world.close(); });
