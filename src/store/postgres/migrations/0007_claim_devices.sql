-- A guest without a token continues the guest session with the same device, on any node.
ALTER TABLE guest_name ADD COLUMN devices text[] NOT NULL DEFAULT '{}';

COMMENT ON COLUMN guest_name.devices IS 'the devices with which the name was claimed, the newest few';
