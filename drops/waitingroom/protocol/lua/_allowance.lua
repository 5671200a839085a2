-- Precedes the scripts that write the allowance. It falls at once when a ceiling is lowered, but not below what has
-- entered since it was decided.
local function set_allowance(key, allowance)
  local entered = tonumber(redis.call('HGET', key, 'entered') or 0)
  redis.call('HSET', key, 'allowance', string.format('%.0f', math.max(allowance, entered)))
end

