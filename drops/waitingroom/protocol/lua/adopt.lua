-- Adopts this server for a drop's waiting room as Postgres has committed it: a fresh server, one that lost some of its
-- data, or one that was out of use for a while. Counting resumes at the committed limit.
-- KEYS state, clients, entries, seconds, status · ARGV run id, term, drop id, JSON of
--   {"most": {name: number}, "allowance": number, "set": {name: text}, "unset": [name]}, status document or ''
-- → {'adopted', the counter until now} · {'foreign', run id of the server} · {'older', the newer term}
local here = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
if ARGV[1] ~= here then return {'foreign', here} end
-- Data of an earlier drop with the same slug must not be taken for this drop's.
if redis.call('HGET', KEYS[1], 'drop') ~= ARGV[3] then redis.call('DEL', unpack(KEYS)) end
local term = redis.call('HGET', KEYS[1], 'term')
if term and tonumber(ARGV[2]) < tonumber(term) then return {'older', tonumber(term)} end

local counter = tonumber(redis.call('HGET', KEYS[1], 'counter') or 0)
local fields = cjson.decode(ARGV[4])
for _, name in ipairs(fields.unset) do redis.call('HDEL', KEYS[1], name) end
for name, value in pairs(fields.most) do
  local kept = redis.call('HGET', KEYS[1], name)
  if not kept or value > tonumber(kept) then redis.call('HSET', KEYS[1], name, string.format('%.0f', value)) end
end
set_allowance(KEYS[1], fields.allowance)
for name, value in pairs(fields.set) do redis.call('HSET', KEYS[1], name, value) end
redis.call('HSET', KEYS[1], 'term', ARGV[2], 'drop', ARGV[3], 'run', here)
if ARGV[5] ~= '' then redis.call('SET', KEYS[5], ARGV[5]) end
return {'adopted', counter}
