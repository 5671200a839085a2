-- Returns an index for each client key; all new keys take theirs by one step of the counter.
-- KEYS state, clients · ARGV client keys (32 hex digits each; a key may occur twice)
-- → {'joined', index, …} in the order of ARGV; -1 for those at the end that don't fit below the limit
-- → {'unadopted'} · {'closed'} · {'early', unix second at which the lobby opens}
if not adopted(KEYS[1]) then return {'unadopted'} end
local kept = redis.call('HMGET', KEYS[1], 'closed', 'lobby', 'limit', 'counter')
if kept[1] == '1' then return {'closed'} end
if tonumber(redis.call('TIME')[1]) < tonumber(kept[2]) then return {'early', tonumber(kept[2])} end

local known = redis.call('HMGET', KEYS[2], unpack(ARGV))
local fresh, seen = {}, {}
for i, client in ipairs(ARGV) do
  if not known[i] and not seen[client] then
    seen[client] = true
    fresh[#fresh + 1] = client
  end
end

local fitting = math.min(#fresh, tonumber(kept[3]) - tonumber(kept[4]))
local given = {}
if fitting > 0 then
  local first = redis.call('HINCRBY', KEYS[1], 'counter', fitting) - fitting
  local pairs_of = {}
  for i = 1, fitting do
    given[fresh[i]] = first + i - 1
    pairs_of[#pairs_of + 1] = fresh[i]
    pairs_of[#pairs_of + 1] = first + i - 1
  end
  redis.call('HSET', KEYS[2], unpack(pairs_of))
end

local answer = {'joined'}
for i, client in ipairs(ARGV) do
  answer[i + 1] = tonumber(known[i] or given[client] or -1)
end
return answer
