{{ config(materialized='view', schema='intervals') }}

{{ vault_versions(ref('sat_customer'), key='customer_hk') }}
