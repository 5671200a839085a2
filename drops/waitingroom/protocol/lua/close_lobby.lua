-- First step of the seal: how many indices the shuffle covers. Every call returns the same number; no secret is revealed.
-- KEYS state · ARGV term
-- → {'closed', n} · {'older', the newer term} · {'unadopted'}
if not adopted(KEYS[1]) then return {'unadopted'} end
local term = tonumber(redis.call('HGET', KEYS[1], 'term'))
if tonumber(ARGV[1]) < term then return {'older', term} end
redis.call('HSETNX', KEYS[1], 'n', redis.call('HGET', KEYS[1], 'counter'))
return {'closed', tonumber(redis.call('HGET', KEYS[1], 'n'))}
