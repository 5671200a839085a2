-- Admits one index, if its place has been called and the allowance isn't used up.
-- KEYS state, entries, seconds · ARGV index, place, seconds for which a pass is valid
-- → {'pass', unix second of the entry, cursor}; repeated before the pass ends, the same entry, counted once
-- → {'early', cursor} · {'full'} · {'paused'} · {'closed'} · {'unadopted'}
if not adopted(KEYS[1]) then return {'unadopted'} end
local kept = redis.call('HMGET', KEYS[1], 'closed', 'paused', 'cursor', 'entered', 'allowance')
if kept[1] == '1' then return {'closed'} end
if kept[2] == '1' then return {'paused'} end
local cursor = tonumber(kept[3])
if tonumber(ARGV[2]) >= cursor then return {'early', cursor} end

local now = tonumber(redis.call('TIME')[1])
local at = tonumber(ARGV[1]) * 4
local entry = redis.call('GETRANGE', KEYS[2], at, at + 3)
if #entry == 4 then
  local entered = struct.unpack('>I4', entry)
  if entered > 0 and now < entered + tonumber(ARGV[3]) then return {'pass', entered, cursor} end
end

if tonumber(kept[4]) >= tonumber(kept[5]) then return {'full'} end
redis.call('SETRANGE', KEYS[2], at, struct.pack('>I4', now))
redis.call('HINCRBY', KEYS[1], 'entered', 1)
redis.call('HINCRBY', KEYS[3], now, 1)
return {'pass', now, cursor}
