{{ config(materialized='view', schema='intervals') }}

{{ vault_versions(ref('sat_order'), key='order_hk') }}
