{{ vault_satellite(
    'customer',
    key=['store_id', 'customer_id'],
    payload=[
        'email', 'first_name', 'last_name', 'phone', 'country', 'region', 'city', 'segment', 'is_member',
        'marketing_consent', 'created_at',
    ],
    sources=ref('stg_customers'),
    applied='updated_at',
    deleted='is_deleted',
) }}
