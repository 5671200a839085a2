-- Stands before every script that acts on an adopted line.
-- A server that lost its memory, or another one, must not count: its counter may lie behind what was given.
local function adopted(key)
  local kept = redis.call('HMGET', key, 'limit', 'epoch', 'run')
  local here = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  return kept[1] and kept[2] and kept[3] == here
end

