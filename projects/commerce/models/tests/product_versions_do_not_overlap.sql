-- The versions of a product, as the view has them, begin at moments of their own.
with products as (

    select product_hk
    from {{ penstock_tested(ref('hub_product'), ['store_id', 'product_id'], affected='changed_products') }}

),

told as (

    select versions.*
    from {{ ref('sat_product') }} as versions
    semi join products on versions.product_hk = products.product_hk

)

select product_hk, valid_from, count(*) as versions
from ({{ vault_versions('told', key='product_hk') }})
group by product_hk, valid_from
having count(*) > 1
