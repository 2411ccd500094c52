{{ config(materialized='view', schema='intervals') }}

{{ vault_versions(ref('sat_product'), key='product_hk') }}
