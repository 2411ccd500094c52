-- One guest and one unknown customer, one unknown product and one that is none.
select 'customer' as dimension, count(*) filter (where is_guest) as one, count(*) filter (where is_unknown) as other
from {{ ref('dim_customer') }}
having one <> 1 or other <> 1
union all
select
    'product' as dimension,
    count(*) filter (where product_key = 'none') as one,
    count(*) filter (where is_unknown) as other
from {{ ref('dim_product') }}
having one <> 1 or other <> 1
