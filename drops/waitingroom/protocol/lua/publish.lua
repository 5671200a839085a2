-- Writes what Postgres has committed: cursor and limit only grow, the allowance falls no further than what has entered,
-- the seed is set once, and an older term is refused.
-- KEYS state, seconds, status · ARGV term, status document or '', seconds of entries to keep, then JSON of
--   {"most": {name: number}, "allowance": number, "once": {name: text}, "set": {name: text}}, and the tick that was read
--   before deciding, or ''
-- → {'published'} · {'older', the newer term} · {'older data'} · {'unadopted'}
if not adopted(KEYS[1]) then return {'unadopted'} end
local term = tonumber(redis.call('HGET', KEYS[1], 'term'))
if tonumber(ARGV[1]) < term then return {'older', term} end
-- A snapshot was restored since: what has happened must be seen before it is overwritten.
if ARGV[5] ~= '' and tonumber(redis.call('HGET', KEYS[1], 'tick') or 0) < tonumber(ARGV[5]) then return {'older data'} end
redis.call('HSET', KEYS[1], 'term', ARGV[1])

local fields = cjson.decode(ARGV[4])
for name, value in pairs(fields.most) do
  local kept = redis.call('HGET', KEYS[1], name)
  if not kept or value > tonumber(kept) then redis.call('HSET', KEYS[1], name, string.format('%.0f', value)) end
end
set_allowance(KEYS[1], fields.allowance)
for name, value in pairs(fields.set) do redis.call('HSET', KEYS[1], name, value) end
-- n may be left over from the first step of a seal that was never committed: the committed n is set with the seed.
if fields.once.seed and redis.call('HSETNX', KEYS[1], 'seed', fields.once.seed) == 1 then
  redis.call('HSET', KEYS[1], 'n', fields.once.n)
end
if ARGV[2] ~= '' then redis.call('SET', KEYS[3], ARGV[2]) end

local keep = tonumber(ARGV[3])
if redis.call('HLEN', KEYS[2]) > 2 * keep then
  local old = tonumber(redis.call('TIME')[1]) - keep
  for _, second in ipairs(redis.call('HKEYS', KEYS[2])) do
    if tonumber(second) < old then redis.call('HDEL', KEYS[2], second) end
  end
end
return {'published'}
