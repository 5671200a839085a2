-- Precedes every script that acts on an adopted waiting room.
-- A server that lost its data, or a different server, must not count: its counter may be behind indices already given.
local function adopted(key)
  local kept = redis.call('HMGET', key, 'limit', 'epoch', 'run')
  local here = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  return kept[1] and kept[2] and kept[3] == here
end

